// Vercel AI SDK (npm: ai @ai-sdk/openai @ai-sdk/openai-compatible zod) against the recorder.
// node drive_ai_sdk.mjs http://127.0.0.1:8766
import { embed, embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { z } from "zod";

const root = process.argv[2] ?? "http://127.0.0.1:8766";
const model = "smollm2-135m-instruct";
const compatible = (call, options = {}) =>
  createOpenAICompatible({ name: "neuroforge", baseURL: `${root}/${call}/v1`, apiKey: "nf-x", ...options });
const openai = (call) => createOpenAI({ baseURL: `${root}/${call}/v1`, apiKey: "nf-x" });
const city = z.object({ city: z.string(), population: z.number().int() });
const weather = tool({
  description: "Weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async () => "sunny",
});
const prompt = "Name the capital of France.";
const drain = async (result) => { for await (const _ of result.textStream); };

const calls = {
  "compatible-chat": (c) => generateText({ model: compatible(c)(model), system: "Be brief.", prompt,
    maxOutputTokens: 8, temperature: 0, topP: 0.9, seed: 7, stopSequences: ["\n\n"], frequencyPenalty: 0, presencePenalty: 0 }),
  "compatible-stream": (c) => drain(streamText({ model: compatible(c)(model), prompt, maxOutputTokens: 8 })),
  "compatible-stream-usage": (c) => drain(streamText({ model: compatible(c, { includeUsage: true })(model), prompt })),
  "compatible-tools": (c) => generateText({ model: compatible(c)(model), prompt, tools: { weather }, toolChoice: "required",
    maxOutputTokens: 32 }),
  "compatible-tool-loop": (c) => generateText({ model: compatible(c)(model), prompt, tools: { weather },
    stopWhen: stepCountIs(3) }),
  "compatible-json-schema": (c) => generateText({
    model: compatible(c, { supportsStructuredOutputs: true })(model), prompt, output: Output.object({ schema: city }) }),
  "compatible-json-object": (c) => generateText({ model: compatible(c)(model), prompt, output: Output.object({ schema: city }) }),
  "compatible-embed": (c) => embed({ model: compatible(c).textEmbeddingModel(model), value: "a" }),
  "compatible-embed-many": (c) => embedMany({ model: compatible(c).textEmbeddingModel(model), values: ["a", "b"] }),
  "openai-chat": (c) => generateText({ model: openai(c).chat(model), system: "Be brief.", prompt, maxOutputTokens: 8 }),
  "openai-chat-stream": (c) => drain(streamText({ model: openai(c).chat(model), prompt })),
  "openai-chat-tools-stream": (c) => drain(streamText({ model: openai(c).chat(model), prompt, tools: { weather } })),
  "openai-chat-json-schema": (c) => generateText({ model: openai(c).chat(model), prompt, output: Output.object({ schema: city }) }),
  "openai-responses": (c) => generateText({ model: openai(c)(model), system: "Be brief.", prompt, maxOutputTokens: 16 }),
  "openai-responses-stream": (c) => drain(streamText({ model: openai(c)(model), prompt })),
  "openai-responses-tools": (c) => generateText({ model: openai(c)(model), prompt, tools: { weather },
    stopWhen: stepCountIs(3) }),
  "openai-responses-json-schema": (c) => generateText({ model: openai(c)(model), prompt, output: Output.object({ schema: city }) }),
  "openai-embed": (c) => embed({ model: openai(c).textEmbeddingModel(model), value: "a" }),
};

for (const [name, run] of Object.entries(calls)) {
  try {
    await run(name);
    console.log("ok", name);
  } catch (error) {
    console.log("client failed on our canned answer", name, String(error).slice(0, 200));
  }
}
