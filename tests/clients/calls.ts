// Every operation once, through the client that TypeScript's types are generated for. That it
// compiles is a part of the test: the types of requests and answers are the document's.

import assert from "node:assert/strict";
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./generated/schema.js";

type Schemas = components["schemas"];

export interface Known {
  baseUrl: string;
  key: string;
  /** A key to be revoked. */
  spare: string;
  model: string;
  photos: string[];
}

/** The data of a call that must succeed. */
async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  assert.equal(response.status, 200, JSON.stringify(error));
  assert.ok(data !== undefined && data !== null);
  assert.ok(Number(response.headers.get("x-ratelimit-remaining")) > 0);
  return data;
}

/** Calls everything; what was called, as `GET /api/v2/organization`. */
export async function callEverything(known: Known): Promise<string[]> {
  const called = new Set<string>();
  const note: Middleware = {
    onRequest({ request, schemaPath }) {
      called.add(`${request.method} ${schemaPath}`);
      return undefined;
    },
  };
  const headers = { Authorization: `Bearer ${known.key}` };
  const client = createClient<paths>({ baseUrl: known.baseUrl, headers });
  client.use(note);

  const name = `Marketing ${Date.now()}`;
  const created = await ok(client.POST("/api/v2/organization/teams", { body: { name } }));
  const team: Schemas["Team"] | undefined = created.organization.teams.find((one) => one.name === name);
  assert.ok(team);
  const ofTeam = { params: { path: { teamId: team.id } } };
  const renamed = await ok(
    client.PUT("/api/v2/organization/teams/{teamId}", { ...ofTeam, body: { name: `${name} & brand` } }),
  );
  assert.deepEqual(renamed.organization.teams.map((one) => one.name), [`${name} & brand`]);
  const { teams } = await ok(client.GET("/api/v2/organization/teams"));
  assert.deepEqual(teams, renamed.organization.teams);
  const { organization } = await ok(client.GET("/api/v2/organization"));
  assert.equal(organization.name, "Acme Corporation");
  const { credits } = await ok(client.GET("/api/v2/organization/credits"));
  assert.equal(credits, 1_000_000);

  const email = "o'neil+hr%1@acme.example";
  const invite = { email, teamId: team.id };
  const idempotent = { params: { header: { "Idempotency-Key": "one" } }, body: invite };
  const invited = await ok(client.POST("/api/v2/organization/invites", idempotent));
  const again = await ok(client.POST("/api/v2/organization/invites", idempotent));
  assert.deepEqual(again, invited);
  assert.equal(new URL(invited.link).origin, known.baseUrl);
  const refused = await client.POST("/api/v2/organization/invites", { body: invite });
  const error: Schemas["ErrorBody"] | undefined = refused.error;
  assert.equal(refused.response.status, 400);
  assert.equal(error?.code, "ALREADY_EXISTS");
  const found = await ok(client.GET("/api/v2/organization/invites/{email}", { params: { path: { email } } }));
  const status: Schemas["InviteStatus"] = found.invite.status;
  assert.equal(status, "pending");
  assert.equal(found.invite.teamName, `${name} & brand`);
  const listed = await ok(client.GET("/api/v2/organization/invites", { params: { query: { limit: 1 } } }));
  assert.deepEqual(listed.invites, [found.invite]);
  const withdrawn = await ok(client.POST("/api/v2/organization/invites/revoke", { body: { email } }));
  assert.equal(withdrawn.input.email, email);

  const emails = ["owner@acme.example"];
  await ok(client.POST("/api/v2/organization/teams/{teamId}/members", { ...ofTeam, body: { emails } }));
  const people = await ok(
    client.GET("/api/v2/organization/team", { params: { query: { status: "finished", limit: 10 } } }),
  );
  assert.equal(people.pagination.limit, 10);
  for (const stage of ["accepted", "pending", "finished"] as const) {
    const { members, count } = await ok(client.GET(`/api/v2/organization/team/${stage}`));
    assert.equal(members.length, count);
  }

  const session = { email: "sofia@customer.example", isDevelopment: true, version: "one-shot" } as const;
  const made = await ok(client.POST("/api/v2/organization/models", { body: session }));
  assert.equal(made.status, "onboarding");
  assert.equal(new URL(made.signedUrl).origin, known.baseUrl);
  const page = await ok(client.GET("/api/v2/organization/models", { params: { query: { status: "onboarding" } } }));
  assert.deepEqual(page.models.map((one) => one.id), [made.modelId]);
  const ofModel = { params: { path: { modelId: made.modelId } } };
  const { model } = await ok(client.GET("/api/v2/organization/models/{modelId}", ofModel));
  assert.deepEqual([model.version, model.finishedAt, model.isDevelopment], ["one-shot", null, true]);
  const gone = await ok(client.DELETE("/api/v2/organization/models/{modelId}", ofModel));
  assert.equal(gone.modelId, made.modelId);

  const modelId = known.model;
  const include = "all" as const;
  const photos = await ok(
    client.GET("/api/v2/organization/models/{modelId}/photos", {
      params: { path: { modelId }, query: { include, likedStatus: "none" } },
    }),
  );
  assert.deepEqual(photos.photos.map((one) => one.id), known.photos);
  const favorite = await ok(
    client.GET("/api/v2/organization/models/{modelId}/photos/favorite", { params: { path: { modelId } } }),
  );
  assert.equal(favorite.photo?.id, known.photos[0]);
  const photoId = known.photos[1] ?? "";
  const { photo } = await ok(
    client.GET("/api/v2/organization/models/{modelId}/photos/{photoId}", {
      params: { path: { modelId, photoId }, query: { include } },
    }),
  );
  assert.ok(photo.urls.original?.startsWith(`${known.baseUrl}/photos/`));
  const ofShoot = { params: { path: { modelId } } };
  const download = "/api/v2/organization/models/{modelId}/photos/download";
  const everything = await ok(client.POST(download, ofShoot));
  assert.equal(everything.downloads.length, 2);
  const one = await ok(client.POST(download, { ...ofShoot, body: { photoIds: [photoId], include } }));
  assert.deepEqual(one.downloads.map((each) => each.photoId), [photoId]);
  const favorites = await ok(client.GET("/api/v2/organization/photos/favorites"));
  assert.deepEqual(favorites.photos.map((each) => [each.id, each.name]), [[known.photos[0], "Jane Cooper"]]);

  assert.equal((await ok(client.GET("/api/v1/organization"))).organization.uid, organization.uid);
  assert.equal((await ok(client.GET("/api/v1/organization/credits"))).credits, credits);
  assert.equal((await ok(client.POST("/api/v1/organization/credits"))).credits, credits);
  const old = { email: "old@acme.example" };
  const oldInvite = await ok(client.POST("/api/v1/organization/invite", { body: old }));
  const { invites } = await ok(client.GET("/api/v1/organization/invites"));
  assert.equal(invites.find((each) => each.id === oldInvite.id)?.valid, true);
  const byId = await ok(
    client.GET("/api/v1/organization/invite/id/{inviteId}", { params: { path: { inviteId: oldInvite.id } } }),
  );
  const legacy: Schemas["V1InviteStatus"] = byId.invite.status;
  assert.equal(legacy, "pending-invite");
  await ok(client.POST("/api/v1/organization/invite/revoke", { body: old }));

  const emptied = await ok(client.DELETE("/api/v2/organization/teams/{teamId}", ofTeam));
  assert.deepEqual(emptied.organization.teams, []);
  const dead = await ok(client.POST("/api/keys/revoke", { body: { key: known.spare } }));
  assert.ok(Date.parse(dead.effectiveAt) > 0);
  const nobody = await client.GET("/api/v2/organization", { headers: { Authorization: `Bearer ${known.spare}` } });
  assert.equal(nobody.error?.code, "UNAUTHORIZED");
  return [...called].sort();
}
