// Shows /openapi.json: operations by service, with search. Text is always set as text, never as markup.
"use strict";
const list = document.getElementById("list");
const search = document.getElementById("search");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.allOf) return typeOf(schema.allOf[0]);
  if (schema.$ref) return schema.$ref.split("/").pop().split(".").pop();
  if (schema.type === "array") return typeOf(schema.items) + "[]";
  if (schema.enum) return schema.enum.join(" | ");
  if (!schema.type) return "";
  const limits = ["format", "minLength", "maxLength", "minimum", "maximum", "pattern"].filter((k) => schema[k] !== undefined);
  return schema.type + (limits.length ? " (" + limits.map((k) => k + " " + schema[k]).join(", ") + ")" : "");
}

function fieldsTable(title, rows) {
  const box = document.createDocumentFragment();
  if (!rows.length) return box;
  if (title) box.append(element("h3", title));
  const table = element("table");
  const head = element("tr");
  for (const name of ["名称 Name", "类型 Type", "说明 Meaning"]) head.append(element("th", name));
  table.append(head);
  for (const [name, type, meaning] of rows) {
    const row = element("tr");
    row.append(element("td", name), type, element("td", meaning || "", "said"));
    table.append(row);
  }
  box.append(table);
  return box;
}

// The object behind a schema: itself, what it refers to, or what its items are.
function objectOf(document_, schema) {
  if (!schema) return undefined;
  if (schema.allOf) return objectOf(document_, schema.allOf[0]);
  if (schema.$ref) return document_.components.schemas[schema.$ref.split("/").pop()];
  return schema.type === "array" ? objectOf(document_, schema.items) : schema;
}

// A type that has fields of its own opens on demand.
function typeCell(document_, schema) {
  const object = objectOf(document_, schema);
  if (!object || !object.properties) return element("td", typeOf(schema));
  const cell = element("td");
  const box = element("details");
  box.append(element("summary", typeOf(schema)));
  box.addEventListener("toggle", () => {
    if (box.open && box.childElementCount === 1) box.append(fieldsTable("", schemaRows(document_, object)));
  });
  cell.append(box);
  return cell;
}

function schemaRows(document_, schema) {
  const object = objectOf(document_, schema) || {};
  const needed = new Set(object.required || []);
  return Object.entries(object.properties || {}).map(([name, s]) => [name + (needed.has(name) ? " *" : ""), typeCell(document_, s), s.description]);
}

function operation(document_, path, verb, op) {
  const box = element("details");
  const line = element("summary");
  line.append(element("span", verb.toUpperCase(), "verb"), element("code", path), element("span", op.summary, "what"));
  box.append(line);
  box.addEventListener("toggle", () => {
    if (!box.open || box.querySelector(".body")) return;
    const body = element("div", undefined, "body");
    body.append(element("p", op.description, "said"));
    body.append(fieldsTable("参数 Parameters", op.parameters.map((p) => [p.name + " (" + p.in + ")" + (p.required ? " *" : ""), typeCell(document_, p.schema), p.description])));
    const asked = op.requestBody && op.requestBody.content["application/json"].schema;
    body.append(fieldsTable("请求体 Body", schemaRows(document_, asked)));
    body.append(fieldsTable("应答 Answer", schemaRows(document_, Object.values(op.responses["200"].content)[0].schema)));
    box.append(body);
  });
  box.dataset.text = (verb + " " + path + " " + op.operationId + " " + op.description).toLowerCase();
  return box;
}

fetch("/openapi.json").then((answer) => answer.json()).then((document_) => {
  list.textContent = "";
  const byService = new Map();
  for (const [path, verbs] of Object.entries(document_.paths)) {
    for (const [verb, op] of Object.entries(verbs)) {
      const of = byService.get(op.tags[0]) || [];
      of.push(operation(document_, path, verb, op));
      byService.set(op.tags[0], of);
    }
  }
  for (const [service, operations] of [...byService].sort()) {
    const section = element("section");
    const tag = document_.tags.find((t) => t.name === service);
    section.append(element("h2", service), element("p", (tag && tag.description) || "", "said"), ...operations);
    list.append(section);
  }
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const section of list.children) {
      let shown = 0;
      for (const box of section.querySelectorAll(":scope > details")) {
        box.hidden = wanted !== "" && !box.dataset.text.includes(wanted);
        if (!box.hidden) shown += 1;
      }
      section.hidden = shown === 0;
    }
  });
}).catch(() => { list.textContent = "读取失败，请刷新 Could not be read; reload."; });
