import { defineConfig } from "vitest/config";

// Relative addresses, since the page lies below a token; nothing inline, since its security policy forbids that.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/glioseg/review/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ["tests/**/*.test.ts"], pool: "threads", isolate: false },
});
