// Runs a Node.js function: asks the Lambda Runtime API for events and hands them to the handler.
// Needs nothing but Node.js itself.

import { existsSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(":");
const jsonLogs = env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const agent = new http.Agent({ keepAlive: true });
const streaming = Symbol("handler streams its response");

/** The invocation that runs, for log lines and for errors that nobody catches. */
let current;
/** The function's handler, once it is loaded. */
let handler;

class RuntimeFailure extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

/** Sends a request whose body is a string or a stream; resolves with the whole answer. */
function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: `/2018-06-01/runtime${path}`, headers };
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    });
    request.on("error", reject);
    if (body?.pipe) {
      body.pipe(request);
    } else {
      request.end(body);
    }
  });
}

function log(level, text, extra = {}) {
  const timestamp = new Date().toISOString();
  const requestId = current?.requestId;
  if (jsonLogs) {
    const line = { timestamp, level, requestId, message: text, ...extra };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } else {
    process.stdout.write(`${timestamp}\t${requestId ?? "undefined"}\t${level}\t${text}\n`);
  }
}

function patchConsole() {
  const levels = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN" };
  for (const [method, level] of Object.entries({ ...levels, error: "ERROR", fatal: "FATAL" })) {
    console[method] = (...values) => log(level, format(...values));
  }
}

/** An error in the shape that callers of Invoke see. */
function reportOf(error) {
  if (error instanceof Error) {
    const trace = (error.stack ?? "").split("\n");
    return { errorType: error.name, errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

async function fail(path, kind, report) {
  log("ERROR", `${kind}\t${JSON.stringify(report)}`);
  const headers = { "Lambda-Runtime-Function-Error-Type": report.errorType };
  await call("POST", path, JSON.stringify(report), headers);
}

async function load(file) {
  if (file.endsWith(".mjs")) {
    return import(pathToFileURL(file));
  }
  try {
    return createRequire(file)(file);
  } catch (error) {
    if (error.code === "ERR_REQUIRE_ESM" || error instanceof SyntaxError) {
      return import(pathToFileURL(file));
    }
    throw error;
  }
}

/** The function that `folder/file.export.path` names. */
async function loadHandler(name, root) {
  const [, folder, file, exported] = /^(.*\/)?([^/.]+)\.([^/]+)$/.exec(name) ?? [];
  if (!file) {
    throw new RuntimeFailure("Runtime.MalformedHandlerName", "Bad handler");
  }
  const base = path.resolve(root, folder ?? "", file);
  const found = [".js", ".mjs", ".cjs"].map((ending) => base + ending).find(existsSync);
  if (!found) {
    const message = `Error: Cannot find module '${path.basename(base)}'`;
    throw new RuntimeFailure("Runtime.ImportModuleError", message);
  }
  let module;
  try {
    module = await load(found);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeFailure("Runtime.UserCodeSyntaxError", error.toString());
    }
    if (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND") {
      throw new RuntimeFailure("Runtime.ImportModuleError", error.toString());
    }
    throw error;
  }
  const pick = (from) => exported.split(".").reduce((value, key) => value?.[key], from);
  const handler = pick(module) ?? pick(module.default);
  if (handler === undefined) {
    const message = `${name} is undefined or not exported`;
    throw new RuntimeFailure("Runtime.HandlerNotFound", message);
  }
  if (typeof handler !== "function") {
    throw new RuntimeFailure("Runtime.HandlerNotFound", `${name} is not a function`);
  }
  return handler;
}

function contextOf(headers, done) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client ? JSON.parse(client) : undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: (error, result) => done(error, result),
    succeed: (result) => done(null, result),
    fail: (error) => done(error),
  };
}

/** Calls the handler; resolves with its result, however it gives it. */
function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    let called = false;
    let answer = { result: null };
    // Without a promise the function is done when nothing is left to do, called back or not.
    const settle = () => {
      process.off("beforeExit", settle);
      answer.error ? reject(answer.error) : resolve(answer.result);
    };
    const callback = (error, result) => {
      if (called) return;
      called = true;
      answer = { error, result };
      if (!context.callbackWaitsForEmptyEventLoop) settle();
    };
    const context = contextOf(headers, (error, result) => {
      context.callbackWaitsForEmptyEventLoop = false;
      callback(error, result);
    });
    process.once("beforeExit", settle);
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") {
      called = true;
      process.off("beforeExit", settle);
      returned.then(resolve, reject);
    }
  });
}

/** Calls a handler that writes its response to a stream, which is sent as it grows. */
async function runStreaming(handler, event, headers, responsePath) {
  const stream = new PassThrough();
  stream.setContentType = () => {};
  let sent;
  const send = () => {
    sent ??= call("POST", responsePath, stream, {
      "Content-Type": "application/octet-stream",
      "Lambda-Runtime-Function-Response-Mode": "streaming",
    });
  };
  stream.once("readable", send);
  await handler(event, stream, contextOf(headers, () => {}));
  stream.end();
  send();
  await sent;
}

function encode(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch (error) {
    throw new RuntimeFailure("Runtime.MarshalError", `Unable to stringify response: ${error}`);
  }
}

async function serve() {
  for (;;) {
    const { headers, text } = await call("GET", "/invocation/next");
    const requestId = headers["lambda-runtime-aws-request-id"];
    const path = `/invocation/${requestId}`;
    current = { requestId, path };
    env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
    try {
      const event = JSON.parse(text);
      if (handler[streaming]) {
        await runStreaming(handler, event, headers, `${path}/response`);
      } else {
        const result = encode(await run(handler, event, headers));
        await call("POST", `${path}/response`, result);
      }
    } catch (error) {
      await fail(`${path}/error`, "Invoke Error ", reportOf(error));
    }
    current = undefined;
  }
}

/** An error that nobody caught ends the process, after it has been reported. */
function exitOn(event, kind, reportFor) {
  process.on(event, async (error) => {
    const report = reportFor(error);
    if (current) {
      await fail(`${current.path}/error`, kind, report);
    } else if (handler) {
      log("ERROR", `${kind}\t${JSON.stringify(report)}`);
    } else {
      await fail("/init/error", kind, report);
    }
    process.exit(event === "uncaughtException" ? 129 : 128);
  });
}

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [streaming]: true }),
  HttpResponseStream: { from: (stream) => stream },
};
patchConsole();
exitOn("uncaughtException", "Uncaught Exception ", reportOf);
exitOn("unhandledRejection", "Unhandled Promise Rejection ", (reason) => {
  const error = new RuntimeFailure("Runtime.UnhandledPromiseRejection", String(reason));
  return { ...reportOf(error), reason: reportOf(reason) };
});

try {
  handler = await loadHandler(env._HANDLER, env.LAMBDA_TASK_ROOT);
} catch (error) {
  await fail("/init/error", "Uncaught Exception ", reportOf(error));
  process.exit(1);
}
serve();
