// Runs one execution on aws-local-stepfunctions, by its library: its command prints an output
// without what lies deeper than two levels.
//
// stdin: {"definition": ..., "input": ..., "id": "the execution's ARN"}
// stdout: {"status": "SUCCEEDED", "output": ...}
//      or {"status": "FAILED", "error": ..., "cause": ...}

const { readFileSync } = require("node:fs");
const { StateMachine } = require("aws-local-stepfunctions");

async function main() {
  const { definition, input, id } = JSON.parse(readFileSync(0, "utf8"));
  const machine = new StateMachine(definition);
  // The start time is set by the interpreter, the id is not.
  const execution = machine.run(input, { context: { Execution: { Id: id } } });
  try {
    return { status: "SUCCEEDED", output: await execution.result };
  } catch (failed) {
    const thrown = failed.cause ?? failed;
    return { status: "FAILED", error: thrown.name, cause: thrown.message };
  }
}

main().then((ended) => console.log(JSON.stringify(ended)));
