// The console: what an operator looks at. Everything comes from POST /graphql with the session cookie, and the lists
// are read again whenever the event log says that something has happened.
"use strict";

const VIEWER = "query Viewer { viewer { workspaceName scopes actor { __typename ... on User { name role } } } }";
const LOGIN = `mutation Login($input: LoginInput!) { login(input: $input) { errors { message } } }`;
const LOGOUT = "mutation Logout { logout { errors { message } } }";
const CANCEL = "mutation Cancel($id: ID!) { changed: cancelJob(input: { jobId: $id }) { errors { message } } }";
const RETRY = "mutation Retry($id: ID!) { changed: retryJob(input: { jobId: $id }) { errors { message } } }";

const LISTS = [
  {
    title: "Jobs",
    scopes: ["INTEGRATIONS_READ", "RESOURCES_READ", "CONTENT_READ", "EXPORTS"],
    query: `query Jobs($after: String) { list: jobs(first: 20, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { id kind state progress { percent } error { message } cancelable retryable lastUpdated }
    } }`,
    columns: {
      Kind: (job) => job.kind.toLowerCase(),
      State: (job) => tagged(job.state),
      Progress: (job) => `${job.progress.percent} %`,
      Changed: (job) => time(job.lastUpdated),
      Error: (job) => job.error?.message ?? "",
      Id: (job) => job.id,
      "": (job) => [
        job.cancelable && button("Cancel", () => change(CANCEL, job.id)),
        job.retryable && button("Retry", () => change(RETRY, job.id)),
      ],
    },
  },
  {
    title: "Resources",
    scopes: ["RESOURCES_READ"],
    query: `query Resources($after: String) { list: resources(first: 20, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { id resourceType title status version updatedAt share { publicUrl active } }
    } }`,
    columns: {
      Type: (resource) => resource.resourceType,
      Title: (resource) => resource.title,
      Status: (resource) => tagged(resource.status),
      Version: (resource) => resource.version,
      Changed: (resource) => time(resource.updatedAt),
      Page: (resource) => (resource.share?.active ? link(resource.share.publicUrl, "open") : ""),
      Id: (resource) => resource.id,
    },
  },
  {
    title: "Webhook endpoints",
    scopes: ["WEBHOOKS"],
    query: "query Endpoints { list: webhookEndpoints { id url events status disabledReason secretHint } }",
    columns: {
      URL: (endpoint) => endpoint.url,
      Status: (endpoint) => tagged(endpoint.status),
      Reason: (endpoint) => endpoint.disabledReason ?? "",
      Events: (endpoint) => endpoint.events.map((name) => name.toLowerCase().replace("_", ".")).join(", "),
      Id: (endpoint) => endpoint.id,
    },
  },
];

const byId = (id) => document.getElementById(id);
const shown = new Map();
let socket = null;

class Refused extends Error {}

async function graph(query, variables = {}) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Lectern-CSRF": "1",
      "X-Environment": byId("environment").value,
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Refused(errors[0].message);
  return data;
}

// Does something, and tells what went wrong with it.
async function attempt(work) {
  try {
    tell("");
    await work();
  } catch (error) {
    tell(error instanceof Refused ? error.message : "The gateway does not answer.");
  }
}

function tell(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

async function begin() {
  const { viewer } = await graph(VIEWER);
  if (viewer) welcome(viewer);
  else leave();
}

function welcome({ workspaceName, scopes, actor }) {
  byId("login").hidden = true;
  byId("session").hidden = false;
  byId("who").textContent = `${actor.name ?? actor.__typename} · ${workspaceName}`;
  shown.clear();
  byId("lists").replaceChildren();
  for (const list of LISTS.filter((list) => list.scopes.some((scope) => scopes.includes(scope)))) {
    const section = document.createElement("section");
    byId("lists").append(section);
    shown.set(list, section);
  }
  refresh();
  if (scopes.includes("WEBHOOKS")) follow();
}

function leave() {
  socket?.close();
  shown.clear();
  byId("lists").replaceChildren();
  byId("login").hidden = false;
  byId("session").hidden = true;
}

function refresh() {
  for (const [list, section] of shown) attempt(() => show(list, section));
}

async function show(list, section, after = null) {
  const { list: found } = await graph(list.query, list.query.includes("$after") ? { after } : {});
  const nodes = found.nodes ?? found;
  const body = after ? section.querySelector("tbody") : frame(list, section, found.totalCount ?? nodes.length);
  body.append(...nodes.map((node) => row(list, node)));
  section.querySelector("button.more")?.remove();
  if (found.pageInfo?.hasNextPage) {
    const more = button("More", () => show(list, section, found.pageInfo.endCursor));
    more.className = "more";
    section.append(more);
  }
}

// An empty table; the old one stays until there is something to put in its place.
function frame(list, section, count) {
  const body = element("tbody");
  const head = element("tr", ...Object.keys(list.columns).map((name) => element("th", name)));
  section.replaceChildren(element("h2", `${list.title} (${count})`), element("table", element("thead", head), body));
  return body;
}

function row(list, node) {
  const cells = Object.entries(list.columns).map(([name, content]) => {
    const cell = element("td", ...[content(node)].flat().filter((part) => part !== false));
    if (name === "Id") cell.className = "id";
    return cell;
  });
  return element("tr", ...cells);
}

async function change(mutation, id) {
  const { changed } = await graph(mutation, { id });
  if (changed.errors.length) throw new Refused(changed.errors[0].message);
  refresh();
}

// A stream of the event log over graphql-transport-ws; it carries the cookie, and tells only that it is time to look.
function follow() {
  socket?.close();
  const mine = new WebSocket(location.href.replace(/^http/, "ws").replace(/\/[^/]*$/, "/graphql"), "graphql-transport-ws");
  socket = mine;
  let due = null;
  const later = () => {
    due ??= setTimeout(() => {
      due = null;
      refresh();
    }, 500);
  };
  const say = (message) => mine.send(JSON.stringify(message));
  mine.onopen = () => say({ type: "connection_init", payload: { environment: byId("environment").value } });
  mine.onmessage = ({ data }) => {
    const { type } = JSON.parse(data);
    if (type === "connection_ack") say({ type: "subscribe", id: "1", payload: { query: "subscription Log { events { cursor } }" } });
    if (type === "ping") say({ type: "pong" });
    if (type === "next") later();
  };
  mine.onclose = () => {
    if (socket === mine && shown.size) setTimeout(() => socket === mine && attempt(begin), 3000);
  };
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function button(text, work) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", () => attempt(work));
  return made;
}

function link(address, text) {
  const made = element("a", text);
  made.href = address;
  return made;
}

function tagged(state) {
  const made = element("span", state.toLowerCase().replaceAll("_", " "));
  made.className = state;
  return made;
}

function time(instant) {
  const made = element("time", new Date(instant).toLocaleString());
  made.dateTime = instant;
  return made;
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = Object.fromEntries(new FormData(event.target));
  attempt(async () => {
    const { login } = await graph(LOGIN, { input });
    if (login.errors.length) throw new Refused(login.errors[0].message);
    event.target.reset();
    await begin();
  });
});

byId("session").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await graph(LOGOUT);
    leave();
  });
});

byId("environment").addEventListener("change", () => attempt(begin));

attempt(begin);
