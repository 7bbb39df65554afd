"use strict";

const byId = (id) => document.getElementById(id);
let running = null;   // the AbortController of the answer under way
let lastSeed = null;

const kNoAnswer = "The server did not answer. Is it still running?";
const kBrokeOff = "The answer broke off: the connection to the server was lost.";

// ---- What is served.

async function showModel() {
  try {
    const answer = await fetch("/v1/models");
    const model = (await answer.json()).data[0];
    byId("model-name").textContent = model.id;
    byId("model-sha").textContent = model.sha256.slice(0, 12) + "…";
    byId("model-sha").title = model.sha256;
    document.title = model.id + " · Quern";
    const badge = byId("verdict");
    const passed = model.verdict === "PASSED";
    badge.textContent = model.verdict;
    badge.className = "badge " + (passed ? "passed" : "unverified");
    badge.title = passed ? "This model passed its gate; these are the weights that were judged." : "";
    byId("warning").hidden = passed;
    if (!passed) {
      byId("warning").textContent = "This model is served without a passed gate" +
        (model.verdict_reason ? ": " + model.verdict_reason : "") + ". Nobody has vouched for its answers.";
    }
    const defaults = model.defaults;
    byId("temperature").value = Math.min(2, defaults.temperature);
    byId("top-p").value = defaults.top_p;
    byId("top-k").value = defaults.top_k;
    byId("max-tokens").placeholder = String(defaults.max_new_tokens);
    if (model.max_model_len > 0) byId("max-tokens").max = model.max_model_len;
    showRanges();
  } catch (error) {
    showError("The server did not say which model it serves. Is it still running?");
  }
}

function showRanges() {
  byId("temperature-value").textContent = Number(byId("temperature").value).toFixed(2);
  byId("top-p-value").textContent = Number(byId("top-p").value).toFixed(2);
}

// ---- A request.

function numberOf(id, name) {
  const field = byId(id);
  if (field.validity.badInput) throw new Error(name + " is not a number.");
  return field.value === "" ? undefined : Number(field.value);
}

function readForm() {
  const request = {
    prompt: byId("prompt").value,
    temperature: Number(byId("temperature").value),
    top_p: Number(byId("top-p").value),
    top_k: numberOf("top-k", "Top k"),
    max_new_tokens: numberOf("max-tokens", "Most tokens"),
    seed: numberOf("seed", "Seed"),
    stream: true,
  };
  const stop = byId("stop").value.split("\n").filter((line) => line !== "").map((line) => line.replaceAll("\\n", "\n"));
  if (stop.length > 0) request.stop = stop;
  return request;
}

// Server-sent events from a response's body, one object each, until [DONE].
async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) throw new Error(kBrokeOff);
    held += value;
    for (let end; (end = held.indexOf("\n\n")) >= 0; held = held.slice(end + 2)) {
      const data = held.slice(0, end).split("\n").filter((line) => line.startsWith("data: "))
        .map((line) => line.slice(6)).join("\n");
      if (data === "[DONE]") return;
      if (data !== "") yield JSON.parse(data);
    }
  }
}

function plainError(status, error) {
  const message = error && error.message ? error.message : "The server answered with status " + status + ".";
  if (status === 503 || status === 429) return "The server is busy or not ready: " + message;
  return message;
}

async function generate() {
  if (running) return;
  let request;
  try {
    request = readForm();
  } catch (error) {
    return showError(error.message);
  }
  running = new AbortController();
  begin(request.prompt);
  const started = performance.now();
  try {
    const response = await fetch("/api/generate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: running.signal,
    });
    if (!response.ok) {
      const body = await response.json().catch(() => ({}));
      throw new Error(plainError(response.status, body.error));
    }
    for await (const event of readEvents(response)) {
      if (event.error) throw new Error(plainError(0, event.error));
      if (event.finish_reason) showEnd(event);
      else showPiece(event, performance.now() - started);
    }
  } catch (error) {
    if (error.name === "AbortError") {
      byId("status").textContent = "Stopped.";
    } else {
      const begun = byId("text").textContent !== "";
      byId("status").textContent = begun ? "The answer is not whole." : "No answer came.";
      showError(error instanceof TypeError ? (begun ? kBrokeOff : kNoAnswer) : error.message);
    }
  }
  end();
}

// ---- What is shown.

const trace = { times: [], tokens: [] };

function begin(prompt) {
  byId("error").hidden = true;
  byId("empty").hidden = true;
  byId("echo").textContent = prompt;
  byId("text").textContent = "";
  byId("caret").hidden = false;
  byId("answer").setAttribute("aria-busy", "true");
  byId("go").disabled = true;
  byId("copy").disabled = true;
  byId("stop-button").disabled = false;
  byId("status").textContent = "Waiting for the first token…";
  for (const id of ["speed", "first", "tokens", "total"]) byId(id).textContent = "–";
  byId("prompt-tokens").textContent = "";
  trace.times = [];
  trace.tokens = [];
  drawTrace();
}

function showPiece(event, milliseconds) {
  const box = byId("answer");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  byId("text").append(event.text);
  if (atEnd) box.scrollTop = box.scrollHeight;
  if (trace.times.length === 0) {
    byId("first").textContent = milliseconds.toFixed(milliseconds < 100 ? 1 : 0);
    byId("status").textContent = "Generating…";
  }
  trace.times.push(milliseconds);
  trace.tokens.push(event.tokens);
  byId("tokens").textContent = event.tokens;
  byId("total").textContent = (milliseconds / 1000).toFixed(2);
  const seconds = (milliseconds - trace.times[0]) / 1000;
  if (seconds > 0) byId("speed").textContent = rate((event.tokens - trace.tokens[0]) / seconds);
  drawTrace();
}

function rate(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

// Tokens per second over windows of a twentieth of the answer: [[end of the window, rate], ...].
function windowRates() {
  const { times, tokens } = trace;
  const last = times.length - 1;
  const step = (times[last] - times[0]) / 20;
  const rates = [];
  for (let i = 0, from = 0; i <= last; ++i) {
    if (times[i] <= times[from] || times[i] - times[from] < step) continue;
    rates.push([times[i], (tokens[i] - tokens[from]) / (times[i] - times[from])]);
    from = i;
  }
  return rates;
}

function drawTrace() {
  const { times } = trace;
  const rates = times.length < 5 ? [] : windowRates();
  let line = "", area = "";
  if (rates.length > 1) {
    const first = times[0], last = rates[rates.length - 1][0];
    const top = Math.max(...rates.map((point) => point[1]));
    const at = (time, value) =>
      (600 * (time - first) / (last - first)).toFixed(1) + "," + (48 - 44 * value / top).toFixed(1);
    line = [[first, rates[0][1]], ...rates].map(([time, value]) => at(time, value)).join(" ");
    area = at(first, 0) + " " + line + " " + at(last, 0);
  }
  byId("trace-line").setAttribute("points", line);
  byId("trace-area").setAttribute("points", area);
}

function showEnd(event) {
  byId("text").append(event.text);
  const why = event.finish_reason === "stop" ? "The model came to an end." : "The answer reached its length limit.";
  lastSeed = event.settings.seed;
  const sampled = event.settings.temperature > 0;
  byId("status").textContent = why + (sampled ? " Seed " + lastSeed + "." : " Greedy: the seed plays no part.");
  byId("keep-seed").hidden = !sampled;
  byId("speed").textContent = rate(event.timings.tokens_per_second);
  byId("first").textContent = (1000 * event.timings.time_to_first_token_seconds).toFixed(1);
  byId("tokens").textContent = event.usage.completion_tokens;
  byId("prompt-tokens").textContent = "after " + event.usage.prompt_tokens + " of prompt";
  byId("total").textContent = event.timings.total_seconds.toFixed(2);
}

function end() {
  running = null;
  byId("caret").hidden = true;
  byId("answer").setAttribute("aria-busy", "false");
  byId("go").disabled = false;
  byId("stop-button").disabled = true;
  byId("copy").disabled = byId("text").textContent === "";
}

function showError(message) {
  byId("error").textContent = message;
  byId("error").hidden = false;
}

// ---- Wiring.

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  generate();
});
byId("stop-button").addEventListener("click", () => running && running.abort());
byId("keep-seed").addEventListener("click", () => { byId("seed").value = lastSeed; });
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("text").textContent);
    byId("status").textContent = "Copied.";
  } catch (error) {
    showError("The browser does not allow copying here; select the text instead.");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    generate();
  } else if (event.key === "Escape" && running) {
    running.abort();
  }
});
byId("temperature").addEventListener("input", showRanges);
byId("top-p").addEventListener("input", showRanges);
showRanges();
showModel();
