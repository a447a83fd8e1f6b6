// GraphiQL with the transports of this gateway and a list of example operations. No build step: React and GraphiQL are
// the prebuilt files beside this one.
"use strict";

(() => {
  const { createElement: h, useEffect, useState } = React;
  const { parse, print, Kind } = GraphiQL.GraphQL;

  // The styles that GraphiQL makes itself carry the nonce of the page's policy.
  window.__webpack_nonce__ = document.getElementById("explorer-script").dataset.nonce;

  const GROUPS = [
    ["expansions", "Content Integration"],
    ["resources", "Content Resources"],
    ["exports", "Content Exports"],
    ["ingestion", "Content Ingestion"],
    ["following", "Following what happens"],
  ];

  const HEADERS = JSON.stringify({ Authorization: "Bearer <key>" }, null, 2);

  const WELCOME = `# Put a key into Headers below, or sign in at /
# and leave them empty. The list at the left has
# examples, the book the reference.

query WhoAmI {
  viewer {
    workspaceName
    environment
    scopes
    rateLimit { limitPerMinute remaining resetAt }
  }
}
`;

  // A request with the session cookie needs the header of our own pages; beside an Authorization it changes nothing.
  const fetcher = (() => {
    const url = new URL("/graphql", location.href);
    const socket = new URL(url);
    socket.protocol = url.protocol.replace("http", "ws");
    const send = GraphiQL.createFetcher({
      url: url.href,
      subscriptionUrl: socket.href,
      headers: { "X-Lectern-CSRF": "1" },
    });
    return (params, options = {}) => send(params, { ...options, headers: chosen(options.headers) });
  })();

  // The placeholder of a fresh tab is no credential.
  function chosen(headers = {}) {
    return Object.fromEntries(Object.entries(headers).filter(([, value]) => !String(value).includes("<key>")));
  }

  // A file of operations, each under a comment that says what it is for.
  async function readExamples(name) {
    const response = await fetch(`/static/graphiql/examples/${name}.graphql`);
    const text = await response.text();
    const { definitions } = parse(text);
    return definitions
      .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
      .map((definition, position, all) => {
        const start = position ? all[position - 1].loc.end : 0;
        const source = text.slice(start, definition.loc.end).trim();
        return { name: definition.name.value, about: comment(source), source, variables: blanks(definition) };
      });
  }

  function comment(source) {
    const lines = source.split("\n").filter((line) => line.startsWith("#"));
    return lines.map((line) => line.slice(1).trim()).join(" ");
  }

  // The variables of an operation, to be filled in.
  function blanks({ variableDefinitions = [] }) {
    const values = variableDefinitions
      .filter(({ defaultValue }) => !defaultValue)
      .map(({ variable, type }) => [variable.name.value, blank(print(type))]);
    return values.length ? JSON.stringify(Object.fromEntries(values), null, 2) : "";
  }

  function blank(type) {
    if (!type.endsWith("!")) return null;
    return type.startsWith("Int") ? 0 : "";
  }

  function Examples() {
    const { addTab, queryEditor, variableEditor, headerEditor } = GraphiQL.React.useEditorContext({ nonNull: true });
    const [groups, setGroups] = useState([]);
    const [opened, setOpened] = useState(null);

    useEffect(() => {
      Promise.all(GROUPS.map(([name]) => readExamples(name))).then(setGroups);
    }, []);

    // The editors show the new tab only once it has been added.
    useEffect(() => {
      if (opened) {
        queryEditor.setValue(opened.source);
        variableEditor.setValue(opened.variables);
        headerEditor.setValue(opened.headers);
        queryEditor.focus();
        setOpened(null);
      }
    }, [opened]);

    const open = (example) => {
      setOpened({ ...example, headers: headerEditor.getValue() });
      addTab();
    };
    const button = (example) =>
      h("li", { key: example.name },
        h("button", { type: "button", onClick: () => open(example) },
          h("strong", null, example.name),
          h("small", null, example.about)));
    return h("section", { className: "examples", "aria-label": "Examples" },
      h("div", { className: "graphiql-doc-explorer-title" }, "Examples"),
      groups.map((examples, position) =>
        h("div", { key: GROUPS[position][0] },
          h("h3", null, GROUPS[position][1]),
          h("ul", null, examples.map(button)))));
  }

  const icon = () =>
    h("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", strokeWidth: 1.5, "aria-hidden": true },
      h("path", { d: "M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01", strokeLinecap: "round" }));

  const root = document.getElementById("explorer");
  ReactDOM.createRoot(root).render(
    h(GraphiQL, {
      fetcher,
      defaultQuery: WELCOME,
      defaultHeaders: HEADERS,
      defaultEditorToolsVisibility: "headers",
      shouldPersistHeaders: false,
      inputValueDeprecation: true,
      plugins: [{ title: "Examples", icon, content: Examples }],
    },
    h(GraphiQL.Logo, null, h("a", { href: "/docs" }, "Lectern"))),
  );
})();
