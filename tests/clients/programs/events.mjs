// Reads the events of a job with the npm package eventsource until it stops by itself: URL TOKEN.
import { EventSource } from 'eventsource';

const [url, token] = process.argv.slice(2);
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
});
source.addEventListener('message', () => console.log('message without a name'));
source.addEventListener('job', (event) => {
  const told = JSON.parse(event.data);
  console.log('job', told.event_id, told.status);
});
source.addEventListener('error', (event) => {
  // After the end the service closes; asked again from there it says 204, and the library gives up (WHATWG HTML 9.2.3).
  if (source.readyState === EventSource.CLOSED) {
    console.log('closed', event.code ?? '');
    process.exit(0);
  }
});
