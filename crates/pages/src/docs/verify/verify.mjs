import { createHmac, timingSafeEqual } from "node:crypto";

// `body` is the raw request body, a Buffer: JSON parsed and printed again has other bytes.
export function isGenuine(headers, body, secret, now = Date.now() / 1000) {
  const timestamp = headers["x-headshotpro-timestamp"] ?? "";
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > 300) {
    return false;
  }
  const hmac = createHmac("sha256", secret);
  const expected = Buffer.from(`sha256=${hmac.update(`${timestamp}.`).update(body).digest("hex")}`);
  // The second header is there while a rotation overlaps.
  return ["x-headshotpro-signature", "x-headshotpro-signature-previous"].some((name) => {
    const given = Buffer.from(headers[name] ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
