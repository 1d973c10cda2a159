import { render } from "preact";
import { Api } from "./api";
import { Desk } from "./desk";
import { App } from "./page/App";
import "./style.css";

const desk = new Desk(new Api());
render(<App desk={desk} />, document.getElementById("app")!);
void desk.start();
