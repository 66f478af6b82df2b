// Serves the folder that is the argument as S3 and prints the port. Ends when its input closes, and
// removes the folder: it never outlives the tests.
'use strict';

const fs = require('node:fs');
const S3rver = require('s3rver');

const directory = process.argv[2];
const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory,
  vhostBuckets: false,
  configureBuckets: [{ name: 'headshots' }],
});

server.run().then(({ port }) => console.log(port));
process.stdin.on('end', () => {
  fs.rmSync(directory, { recursive: true, force: true });
  process.exit();
}).resume();
