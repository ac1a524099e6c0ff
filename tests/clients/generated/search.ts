// Submits a search, waits for its end and prints its first hit, with types that openapi-typescript made.
import createClient from 'openapi-fetch';
import type { components, paths } from './blastd';

const [url, token, query] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

const sent = await client.POST('/api/blast/jobs', {
  body: { program: 'blastn', database: 'tnt', query, options: { evalue: '1e-20' }, title: '', priority: 0, reuse: true, molecule_check: true },
  params: { header: { 'Idempotency-Key': 'generated-typescript' } },
});
if (sent.data === undefined) throw new Error(JSON.stringify(sent.error));
const id: string = sent.data.job_id;
let status: components['schemas']['JobRow']['status'] = sent.data.status;
while (status === 'queued' || status === 'running') {
  const job = await client.GET('/api/blast/jobs/{id}', { params: { path: { id }, query: { wait: 30 } } });
  if (job.data === undefined) throw new Error(JSON.stringify(job.error));
  status = job.data.status;
}
const page = await client.GET('/api/blast/jobs/{id}/hits', { params: { path: { id } } });
const hit: components['schemas']['HitRow'] | undefined = page.data?.hits[0];
const table = await client.GET('/api/blast/jobs/{id}/results', { params: { path: { id }, query: { format: 'tabular' } }, parseAs: 'text' });
console.log(status, page.data?.total, hit?.subject, hit?.identity, new TextEncoder().encode(String(table.data)).length);
const missing = await client.GET('/api/blast/jobs/{id}', { params: { path: { id: '00000000' } } });
console.log(missing.response.status, missing.error?.code);
