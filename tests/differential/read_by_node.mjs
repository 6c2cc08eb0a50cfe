// What node's own HTTP server reads: a line of JSON for each connection that has ended, with the port it came from.
import http from 'node:http';

const latin1 = (buffer) => buffer.toString('latin1');

const server = http.createServer({ maxHeaderSize: 1 << 20, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
server.maxHeadersCount = 0;
server.on('connection', (socket) => {
  socket.seen = { port: socket.remotePort, requests: [], faults: [] };
  socket.on('close', () => {
    if (socket.bytesRead > 0) process.stdout.write(`${JSON.stringify(socket.seen)}\n`);
  });
});
server.on('request', (request, response) => {
  const { socket, rawHeaders } = request;
  const fields = [];
  for (let at = 0; at < rawHeaders.length; at += 2) fields.push([rawHeaders[at], rawHeaders[at + 1]]);
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    socket.seen.requests.push([request.method, request.url, fields, latin1(Buffer.concat(pieces))]);
    if (Object.keys(request.trailers).length > 0) socket.seen.faults.push('trailers');
    response.end();
  });
});
// What no request of the proxy may ever be taken for. With these there would be a listener for each, and node would say no more.
for (const kind of ['checkContinue', 'checkExpectation', 'connect', 'upgrade']) {
  server.on(kind, (request, second) => {
    request.socket.seen.faults.push(kind);
    (second.socket ?? second).destroy();
  });
}
server.on('clientError', (error, socket) => {
  socket.seen.faults.push(error.code);
  socket.destroy();
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
