// Sends what standard input names through node-hl7-client, one after another, and prints each
// answer as a line of JSON. Input: {"port": 2575, "steps": [["MSH|..."], ["MSH|...", "MSH|..."]]};
// a step of several messages goes as one batch (HL7 v2 2.10.3).
const { Batch, Client, Message } = require("node-hl7-client");

const { port, steps } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const client = new Client({ host: "127.0.0.1" });

function outgoing(step) {
  const messages = step.map((text) => new Message({ text }));
  if (messages.length === 1) return messages[0];
  const batch = new Batch();
  batch.start();
  messages.forEach((message) => batch.add(message));
  batch.end();
  return batch;
}

// The next one leaves when the last one is answered: a queue of two makes this client (3.2.0,
// defaultFlushQueue) push and shift the second for ever, before its socket is ever read.
let at = 0;
let answers = 0;
const connection = client.createConnection({ port }, (answer) => {
  const message = answer.getMessage();
  const [code, control] = ["MSA.1", "MSA.2"].map((path) => message.get(path).toString());
  console.log(JSON.stringify({ step: at, code, control }));
  answers += 1;
  if (answers === steps[at].length) {
    at += 1;
    answers = 0;
    next();
  }
});

function next() {
  if (at < steps.length) connection.sendMessage(outgoing(steps[at]));
  else connection.close();
}

connection.on("data.error", (error) => console.log(JSON.stringify({ step: at, error: `${error}` })));
connection.on("connect", next);
