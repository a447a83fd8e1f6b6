import { createClient } from "graphql-sse";
import { FOLLOW, JOBS, authorization, check, equal, finish, followed, job, truthy, url } from "./checks.js";

const client = createClient({ url, headers: { authorization }, retryAttempts: 0 });

const all = async (payload) => {
  const answers = [];
  for await (const answer of client.iterate(payload)) answers.push(answer);
  return answers;
};

await check("a query as events", async () => {
  const [{ data }] = await all({ query: JOBS });
  truthy(data.jobs, "jobs");
});

await check("a job followed to the end", async () => {
  const answers = await all({ query: FOLLOW, variables: { id: await job() } });
  followed(answers.map((answer) => answer.data.jobProgress));
});

await check("two streams side by side", async () => {
  const ids = [await job(), await job()];
  const both = await Promise.all(ids.map((id) => all({ query: FOLLOW, variables: { id } })));
  both.forEach((answers) => followed(answers.map((answer) => answer.data.jobProgress)));
});

await check("a refusal has a status", async () => {
  const refused = await all({ query: "{ nope }" }).catch((error) => error);
  equal(refused.response.status, 400);
});

client.dispose();
finish();
