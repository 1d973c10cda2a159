import { expect, test } from "vitest";
import { Api, type SentStroke } from "../src/api";
import { type Delivery, Outbox } from "../src/outbox";

const stroke = (id: string): SentStroke => ({ id, tool: "brush", detail: {}, added: [1, 2], removed: [], seconds: 1 });

/** A server that keeps strokes, and fails as told: `true` before it stored, `"after"` when the answer is lost. */
function serverThat(...fails: (boolean | "after")[]) {
  const stored: string[] = [];
  const api = new Api(async (_address, init) => {
    const body = JSON.parse(String(init?.body));
    const fail = fails.shift() ?? false;
    if (fail === true) throw new TypeError("no connection");
    if (body.id === "conflict") return Response.json({ message: "changed", reader: "bob", revision: 9 }, { status: 409 });
    if (body.id === "bad") return Response.json({ message: "does not fit", remedy: "reload" }, { status: 422 });
    if (!stored.includes(body.id)) {
      if (body.revision !== stored.length) return Response.json({ message: "order", reader: null }, { status: 409 });
      stored.push(body.id);
    }
    if (fail === "after") throw new TypeError("connection lost");
    return Response.json({ revision: stored.indexOf(body.id) + 1 });
  });
  const said: Delivery[] = [];
  const outbox = new Outbox(api, "case", 0, (delivery) => said.push(delivery), async () => undefined);
  return { outbox, stored, said };
}

test("strokes are stored in their order, each on the revision before it", async () => {
  const { outbox, stored, said } = serverThat();
  for (const id of ["a", "b", "c"]) outbox.send(stroke(id));
  expect(outbox.current.delivery.kind).toBe("sending");
  expect(await outbox.flushed()).toBe(true);
  expect(stored).toEqual(["a", "b", "c"]);
  expect(outbox.current).toEqual({ revision: 3, delivery: { kind: "saved" } });
  expect(said.at(-1)).toEqual({ kind: "saved" });
});

test("nothing more is taken while the server is away, and the stroke is sent again", async () => {
  let whileAway: boolean | null = null;
  const { outbox, stored, said } = serverThat(true, true);
  const watch = said.push.bind(said);
  said.push = (delivery) => {
    if (delivery.kind === "unreachable") whileAway = outbox.isOpen;
    return watch(delivery);
  };
  outbox.send(stroke("a"));
  expect(await outbox.flushed()).toBe(true);
  expect(whileAway).toBe(false);
  expect(stored).toEqual(["a"]);
  expect(said.filter(({ kind }) => kind === "unreachable")).toHaveLength(2);
});

test("a stroke whose acknowledgement was lost is not stored twice", async () => {
  const { outbox, stored } = serverThat("after");
  outbox.send(stroke("a"));
  outbox.send(stroke("b"));
  expect(await outbox.flushed()).toBe(true);
  expect(stored).toEqual(["a", "b"]);
});

test.each([["conflict", { kind: "conflict", message: "changed", reader: "bob" }], ["bad", { kind: "refused", message: "does not fit", remedy: "reload" }]])(
  "what the server refuses is told and not forced: %s",
  async (id, delivery) => {
    const { outbox, stored } = serverThat();
    outbox.send(stroke(id));
    outbox.send(stroke("after it"));
    expect(await outbox.flushed()).toBe(false);
    expect(stored).toEqual([]);
    expect(outbox.current.delivery).toEqual(delivery);
    expect(outbox.isOpen).toBe(false);
  },
);
