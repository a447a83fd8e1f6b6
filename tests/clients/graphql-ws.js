import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { EXPAND, FOLLOW, GLOSSARY, JOBS, authorization, check, equal, finish, followed, job, socketUrl, truthy } from "./checks.js";

const connect = (connectionParams, more = {}) =>
  createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0, ...more });

const all = async (client, payload) => {
  const answers = [];
  for await (const answer of client.iterate(payload)) answers.push(answer);
  return answers;
};

const client = connect({ Authorization: authorization });

await check("a query over the socket", async () => {
  const [{ data, extensions }] = await all(client, { query: JOBS, variables: { first: 1 } });
  truthy(data.jobs, "jobs");
  truthy(extensions.cost.limit, "a cost");
});

await check("a mutation, then its job followed to the end", async () => {
  const [{ data }] = await all(client, { query: EXPAND, variables: { payload: GLOSSARY } });
  const answers = await all(client, { query: FOLLOW, variables: { id: data.createExpansion.job.id } });
  followed(answers.map((answer) => answer.data.jobProgress));
});

await check("an invalid operation is an error of its own, and its sibling goes on", async () => {
  const id = await job();
  const sibling = all(client, { query: FOLLOW, variables: { id } });
  const errors = await all(client, { query: "{ nope }" }).catch((error) => error);
  equal(errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
  followed((await sibling).map((answer) => answer.data.jobProgress));
});

await check("ending one subscription leaves the others", async () => {
  const endless = client.iterate({ query: "subscription { events { type } }" });
  let heard = false;
  const waiting = endless.next().then(() => (heard = true));
  do {
    // Nothing tells when a subscription has begun, and a job may be over before this one has connected.
    const answers = await all(client, { query: FOLLOW, variables: { id: await job() } });
    followed(answers.map((answer) => answer.data.jobProgress));
  } while (!heard);
  await waiting;
  await endless.return();
  truthy((await all(client, { query: JOBS }))[0].data, "an answer afterwards");
});

await check("a bad credential closes with 4401", async () => {
  const stranger = connect({ Authorization: "Bearer nobody's" }, { lazy: true });
  const closed = await all(stranger, { query: JOBS }).catch((event) => event);
  equal(closed.code, 4401);
});

await client.dispose();
finish();
