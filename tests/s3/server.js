// Serves the folder that is the argument as S3 and prints the port. Ends when its input closes, so
// that it never outlives the tests.
'use strict';

const S3rver = require('s3rver');

const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory: process.argv[2],
  vhostBuckets: false,
  configureBuckets: [{ name: 'headshots' }],
});

server.run().then(({ port }) => console.log(port));
process.stdin.on('end', () => process.exit()).resume();
