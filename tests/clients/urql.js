import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { EXPAND, FOLLOW, GLOSSARY, JOBS, authorization, check, equal, finish, followed, job, socketUrl, truthy, url } from "./checks.js";

const fetchOptions = { headers: { authorization } };
const client = new Client({ url, exchanges: [fetchExchange], fetchOptions, fetchSubscriptions: true });

// What a subscription yields until the server completes it; urql then repeats the last result, with hasNext false.
const all = (client, query, variables) =>
  new Promise((resolve) => {
    const results = [];
    client.subscription(query, variables).subscribe((result) => {
      if (result.data && result.hasNext) results.push(result.data);
      if (result.error || !result.hasNext) resolve(results);
    });
  });

for (const preferGetMethod of [false, "force"]) {
  await check(`a query over ${preferGetMethod ? "GET" : "POST"}`, async () => {
    const { data, error } = await client.query(JOBS, {}, { preferGetMethod }).toPromise();
    equal(error, undefined);
    truthy(data.jobs, "jobs");
  });
}

await check("a mutation", async () => {
  const { data } = await client.mutation(EXPAND, { payload: GLOSSARY }).toPromise();
  truthy(data.createExpansion.job.id, "a job");
});

await check("a wrong document arrives as GraphQL errors", async () => {
  const { error } = await client.query("{ nope }", {}).toPromise();
  equal(error.graphQLErrors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
});

await check("a subscription as events", async () => {
  const results = await all(client, FOLLOW, { id: await job() });
  followed(results.map((data) => data.jobProgress));
});

await check("a subscription over the socket", async () => {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { Authorization: authorization } });
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  });
  const live = new Client({ url, exchanges: [subscriptionExchange({ forwardSubscription })] });
  const results = await all(live, FOLLOW, { id: await job() });
  followed(results.map((data) => data.jobProgress));
  await socket.dispose();
});

finish();
