// Opens GraphiQL with the tabs of /playground/tabs.json. Every address in here is the gateway's own.
import { GraphiQL, createClient, createElement, createGraphiQLFetcher, createRoot } from "./graphiql.js";

const socket = new URL("/graphql", location.href);
socket.protocol = socket.protocol.replace("http", "ws");

/** Sends queries by HTTP and subscriptions by graphql-transport-ws, both with the headers of the tab they are from. */
function fetcher(request, options) {
  const headers = Object.entries(options?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  const connectionParams = () => Object.fromEntries(headers.filter(([name]) => name === "authorization"));
  const wsClient = createClient({ url: socket.href, connectionParams, retryAttempts: 0 }); // say at once what failed
  return createGraphiQLFetcher({ url: "/graphql", wsClient, enableIncrementalDelivery: false })(request, options);
}

/** What GraphiQL remembers: looks, in the browser; tabs and history hold tokens, hence only until the page is left. */
function remember(tabs) {
  const { query, variables, headers } = tabs[0] ?? {};
  const tabState = tabs.length && JSON.stringify({ activeTabIndex: 0, tabs });
  const known = Object.entries({ query, variables, headers, tabState }).filter(([, text]) => text);
  const page = new Map(known.map(([key, text]) => [`graphiql:${key}`, text]));
  const looks = (key) => /^graphiql:(theme|\w+Flex)$/.test(key);
  return {
    get length() {
      return page.size + localStorage.length;
    },
    getItem: (key) => (looks(key) ? localStorage.getItem(key) : page.get(key) ?? null),
    setItem: (key, value) => void (looks(key) ? localStorage.setItem(key, value) : page.set(key, value)),
    removeItem: (key) => void (looks(key) ? localStorage.removeItem(key) : page.delete(key)),
    clear() {
      page.clear();
      Object.keys(localStorage).filter(looks).forEach((key) => localStorage.removeItem(key));
    },
  };
}

/** A tab as GraphiQL stores it. The label is shown whatever operation the tab comes to hold. */
function tab({ title, query, variables, headers }, index) {
  const json = (values) => (Object.keys(values).length ? JSON.stringify(values, null, 2) : "");
  const texts = { query, variables: json(variables), headers: json(headers) };
  return { id: `prefilled-${index}`, hash: "", title, label: title, ...texts, operationName: null, response: null };
}

async function open() {
  const answer = await fetch("/playground/tabs.json");
  if (!answer.ok) throw new Error(`/playground/tabs.json: ${answer.status} ${answer.statusText}`);
  const tabs = (await answer.json()).map(tab);
  const options = {
    fetcher,
    storage: remember(tabs),
    shouldPersistHeaders: true,
    showPersistHeadersSettings: false,
    defaultEditorToolsVisibility: true,
    defaultQuery: "# Ctrl-Space completes, Ctrl-Enter runs.\n",
    inputValueDeprecation: true,
    schemaDescription: true,
  };
  const name = createElement(GraphiQL.Logo, {}, "Tallywatt");
  createRoot(document.getElementById("playground")).render(createElement(GraphiQL, options, name));
}

open().catch((error) => {
  document.querySelector("#playground > p").textContent = `The playground does not open: ${error.message}`;
});
