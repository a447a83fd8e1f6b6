// What the scripts here share: where the gateway is, how a check is told, and what is asked.
import process from "node:process";

export const [, , url, key] = process.argv;
export const socketUrl = url.replace("http", "ws");
export const authorization = `Bearer ${key}`;

export const JOBS = "query Jobs($first: Int) { jobs(first: $first) { totalCount nodes { id } } }";
export const EXPAND = `mutation Expand($payload: JSON!) {
  createExpansion(input: { sourceType: "floco", requestedOutputs: [interactive_module], payload: $payload }) {
    job { id }
    errors { message }
  }
}`;
export const FOLLOW = `subscription Follow($id: ID!) {
  jobProgress(jobId: $id, after: 0) { sequence state }
}`;
export const GLOSSARY = {
  level: {
    title: "A1",
    lessons: [{ type: "term", title: "Greetings", terms: [{ term: "hello", meaning: "a greeting", example: "Hello." }] }],
  },
};

let failed = 0;

// Runs one check and tells how it went; the process fails when any of them did.
export async function check(name, run) {
  try {
    await Promise.race([run(), late()]);
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name}: ${error?.stack ?? JSON.stringify(error)}`);
  }
}

export function equal(found, expected) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`expected ${right}, found ${left}`);
}

export function truthy(value, what) {
  if (!value) throw new Error(`expected ${what}`);
}

// A job to follow, made over plain HTTP.
export async function job() {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization },
    body: JSON.stringify({ query: EXPAND, variables: { payload: GLOSSARY } }),
  });
  return (await response.json()).data.createExpansion.job.id;
}

// The states that a follower has seen: in order, without a gap, up to the last one.
export function followed(events) {
  equal(events.map(({ sequence }) => sequence), events.map((_, position) => position + 1));
  equal(events.at(-1).state, "COMPLETED");
}

export function finish() {
  process.exit(failed ? 1 : 0);
}

function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("nothing within 20 s")), 20_000));
}
