// Verifies a webhook with the npm package standardwebhooks: SECRET, and the message as JSON on standard input.
import { Webhook } from 'standardwebhooks';
import { readFileSync } from 'node:fs';

const { headers, body } = JSON.parse(readFileSync(0, 'utf8'));
console.log(new Webhook(process.argv[2]).verify(body, headers).type);
