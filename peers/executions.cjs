// Runs executions on aws-local-stepfunctions, many at a time, and aborts them.
//
// stdin, a line each: {"id": "the execution's ARN", "start": {"definition": ..., "input": ...}}
//                  or {"id": ..., "abort": {}}
// stdout, a line each: {"id": ..., "status": "SUCCEEDED", "output": ...}
//                   or {"id": ..., "status": "FAILED", "error": ..., "cause": ...}
//                   or {"id": ..., "status": "ABORTED"}
//
// An abort leaves the function alone that runs, as StopExecution does.

const { createInterface } = require("node:readline");
const { StateMachine, ExecutionAbortedError } = require("aws-local-stepfunctions");

const running = new Map();

async function run(id, { definition, input }) {
  const machine = new StateMachine(definition);
  const execution = machine.run(input, { context: { Execution: { Id: id } } });
  running.set(id, execution);
  try {
    return { status: "SUCCEEDED", output: await execution.result };
  } catch (failed) {
    if (failed instanceof ExecutionAbortedError) {
      return { status: "ABORTED" };
    }
    const thrown = failed.cause ?? failed;
    return { status: "FAILED", error: thrown.name, cause: thrown.message };
  } finally {
    running.delete(id);
  }
}

// What an aborted execution's task comes to, nobody waits for.
process.on("unhandledRejection", () => {});

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, start, abort } = JSON.parse(line);
  if (abort) {
    running.get(id)?.abort();
    return;
  }
  const ended = await run(id, start).catch((error) => ({ status: "FAILED", error: "", cause: `${error}` }));
  console.log(JSON.stringify({ id, ...ended }));
}).on("close", () => process.exit());
