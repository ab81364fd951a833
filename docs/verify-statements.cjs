// Verifies DSSE envelopes with @sigstore/core, one envelope a line:
//     node verify-statements.cjs FILE.intoto.jsonl KEY.pem...
// Every envelope must be signed by one of the keys given. Exit code 0 if all are, 1 if one is not, 2 for usage.
const fs = require("node:fs");
const { crypto, dsse } = require("@sigstore/core");

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const [file, ...pems] = process.argv.slice(2);
if (!file || pems.length === 0) {
  console.error("usage: node verify-statements.cjs FILE.intoto.jsonl KEY.pem...");
  process.exit(2);
}
const keys = pems.map((pem) => crypto.createPublicKey(fs.readFileSync(pem, "utf8")));

// Base64 in its one padded spelling, of either alphabet; Buffer.from alone passes over what is none.
function decoded(text) {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text.replaceAll("-", "+").replaceAll("_", "/")) throw new Error("not base64");
  return bytes;
}

function predicateType(line) {
  const envelope = JSON.parse(line);
  if (envelope.payloadType !== PAYLOAD_TYPE) throw new Error(`payload type ${envelope.payloadType}`);
  const payload = decoded(envelope.payload);
  const signed = dsse.preAuthEncoding(envelope.payloadType, payload);
  const holds = ({ sig }) => keys.some((key) => crypto.verify(signed, key, decoded(sig)));
  if (!envelope.signatures.some(holds)) throw new Error("no key given has signed this");
  return JSON.parse(payload.toString("utf8")).predicateType;
}

const lines = fs.readFileSync(file, "utf8").split("\n");
if (lines.at(-1) === "") lines.pop();
lines.forEach((line, index) => {
  try {
    console.log(`${index + 1} ok ${predicateType(line)}`);
  } catch (error) {
    console.log(`${index + 1} BAD ${error.message}`);
    process.exitCode = 1;
  }
});
if (lines.length === 0) {
  console.error("the file has no envelope");
  process.exitCode = 1;
}
