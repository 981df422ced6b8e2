// A server for the links, and two signers: Ann signs, Bob declines. A link is opened by mail scanners as well, so opening it
// changes nothing; what completes the step is the button on the page.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PermanentError } from "everstep";
import { isEverstepError } from "everstep/client";
import { embedded } from "everstep/runtime";
import { outgoing } from "./mail.ts";
import { signOff } from "./workflow.ts";

const everstep = await embedded({ workflows: [signOff], logLevel: "warn" });
const { client } = everstep;

const server = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url ?? "/", "http://localhost");
  const token = searchParams.get("token") ?? "";
  if (request.method === "GET") {
    response.end('<form method="post"><button>Sign</button></form>');
    return;
  }
  try {
    const declined = searchParams.get("decline");
    if (declined === null) await client.completeStep(token, { by: searchParams.get("name") });
    else await client.failStep(token, new PermanentError(declined));
    response.end("Thank you.");
  } catch (error) {
    response.statusCode = isEverstepError(error) ? 410 : 500;
    response.end(isEverstepError(error) ? error.code : "");
  }
}).listen(0, "127.0.0.1");

/** What a signer's browser does when the button is pressed. */
async function press(signer: string, query: string): Promise<string> {
  let mail = outgoing.find(({ to }) => to === signer);
  while (mail === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    mail = outgoing.find(({ to }) => to === signer);
  }
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}${mail.path}&${query}`, { method: "POST" });
  return answer.text();
}

try {
  const lease = await client.start(signOff, { input: { title: "Lease", signer: "Ann" } });
  const loan = await client.start(signOff, { input: { title: "Loan", signer: "Bob" } });
  console.log("Ann signs:", await press("Ann", "name=Ann"));
  console.log("lease:", await lease.result());
  console.log("Ann signs again:", await press("Ann", "name=Ann"));
  console.log("Bob declines:", await press("Bob", "decline=too+dear"));
  console.log("loan:", await loan.result());
} finally {
  server.close();
  await everstep.stop();
}
