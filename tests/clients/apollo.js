import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { EXPAND, FOLLOW, GLOSSARY, JOBS, authorization, check, equal, finish, followed, job, socketUrl, truthy, url } from "./checks.js";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const client = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const http = new HttpLink({ uri: url, headers: { authorization } });
const plain = client(http);

await check("a query", async () => {
  const { data } = await plain.query({ query: gql(JOBS) });
  truthy(data.jobs, "jobs");
});

await check("a mutation", async () => {
  const { data } = await plain.mutate({ mutation: gql(EXPAND), variables: { payload: GLOSSARY } });
  truthy(data.createExpansion.job.id, "a job");
});

await check("a wrong document arrives as GraphQL errors", async () => {
  const error = await plain.query({ query: gql("{ nope }") }).catch((error) => error);
  truthy(CombinedGraphQLErrors.is(error), "GraphQL errors");
  equal(error.errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
});

await check("a missing credential arrives as GraphQL errors", async () => {
  const nobody = client(new HttpLink({ uri: url }));
  const error = await nobody.query({ query: gql(JOBS) }).catch((error) => error);
  equal(error.errors[0].extensions.code, "UNAUTHENTICATED");
});

for (const useGETForHashedQueries of [false, true]) {
  await check(`automatic persisted queries over ${useGETForHashedQueries ? "GET" : "POST"}`, async () => {
    const sent = [];
    const spy = (input, init) => {
      const extensions = init.body ? JSON.parse(init.body) : Object.fromEntries(new URL(input).searchParams);
      sent.push([init.method, "query" in extensions]);
      return fetch(input, init);
    };
    const persisted = client(
      ApolloLink.from([
        new PersistedQueryLink({ sha256, useGETForHashedQueries }),
        new HttpLink({ uri: url, headers: { authorization }, fetch: spy }),
      ]),
    );
    const query = gql(`query Fresh${Date.now()} { jobs(first: 2) { totalCount } }`);
    for (let round = 0; round < 2; round += 1) {
      const { data } = await persisted.query({ query, fetchPolicy: "network-only" });
      truthy(data.jobs.totalCount, "a count");
    }
    const hashed = useGETForHashedQueries ? "GET" : "POST";
    equal(sent, [[hashed, false], ["POST", true], [hashed, false]]);
  });
}

await check("a subscription over the socket", async () => {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { Authorization: authorization } });
  const live = client(new GraphQLWsLink(socket));
  const variables = { id: await job() };
  const events = [];
  await new Promise((resolve, reject) => {
    live.subscribe({ query: gql(FOLLOW), variables }).subscribe({
      next: ({ data }) => events.push(data.jobProgress),
      error: reject,
      complete: resolve,
    });
  });
  followed(events);
  await socket.dispose();
});

finish();
