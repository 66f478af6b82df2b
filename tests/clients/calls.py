"""Every operation once, through the generated Python client; prints what was called, as JSON.

The generated functions turn a body into a class by its status: that an answer has the right class
and its fields the right types is what this checks.
"""

import datetime
import importlib
import json
import re
import sys

from headshot_api import AuthenticatedClient, Client, models
from headshot_api.types import UNSET

KNOWN = json.loads(sys.argv[1])
CALLED = set()
TEMPLATES = []


def note(request):
    """Finds the operation behind a request: the template with the fewest parameters that fits."""
    path = request.url.raw_path.decode().split("?")[0]
    fitting = [t for t in TEMPLATES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", t), path)]
    CALLED.add(f"{request.method} {min(fitting, key=lambda t: t.count('{'))}")


HOOKS = {"event_hooks": {"request": [note]}}
CLIENT = AuthenticatedClient(base_url=KNOWN["baseUrl"], token=KNOWN["key"], httpx_args=HOOKS)


def call(operation, *args, expect=200, kind=None, client=CLIENT, **kwargs):
    """Calls an operation such as `teams.list_teams`; its answer must have the status and the class."""
    module = importlib.import_module(f"headshot_api.api.{operation}")
    answer = module.sync_detailed(*args, client=client, **kwargs)
    assert answer.status_code == expect, (operation, answer.status_code, answer.content)
    assert isinstance(answer.parsed, kind or object), (operation, type(answer.parsed))
    assert answer.parsed is not None, operation
    return answer.parsed


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def organization_and_teams():
    created = call("teams.create_team", body=models.TeamNameRequest(name="Équipe"), kind=models.OrganizationResponse)
    team = created.organization.teams[0]
    same(team.name, "Équipe")
    renamed = call("teams.update_team", team.id, body=models.TeamNameRequest(name="فريق"))
    same(renamed.organization.teams[0].name, "فريق")
    same(call("teams.list_teams", kind=models.TeamsResponse).teams, renamed.organization.teams)
    details = call("organization.get_organization", kind=models.OrganizationResponse)
    same(details.organization, renamed.organization)
    same(call("organization.get_credits", kind=models.CreditsResponse).credits_, 1_000_000)
    return team.id


def invites(team):
    email = "o'neil+hr%1@acme.example"
    new = models.CreateInviteRequest(email=email, team_id=team)
    invited = call("invites.create_invite", body=new, idempotency_key="one", kind=models.CreateInviteResponse)
    same(call("invites.create_invite", body=new, idempotency_key="one"), invited)
    refused = call("invites.create_invite", body=new, expect=400, kind=models.ErrorBody)
    same(refused.code, models.ErrorCode.ALREADY_EXISTS)
    invite = call("invites.get_invite_by_email", email, kind=models.InviteResponse).invite
    same((invite.status, invite.team_id, invite.model_id), (models.InviteStatus.PENDING, team, UNSET))
    assert isinstance(invite.created_at, datetime.datetime)
    same(call("invites.list_invites", limit=1, kind=models.InvitesResponse).invites, [invite])
    gone = models.RevokeInviteRequest(email=email)
    same(call("invites.revoke_invite", body=gone, kind=models.RevokeInviteResponse).input_.email, email)


def people(team):
    who = models.AddMembersRequest(emails=["owner@acme.example"])
    call("team_members.add_members_to_team", team, body=who, kind=models.MessageResponse)
    page = call("team_members.list_team_members", limit=10, status=models.MemberStatus.FINISHED)
    assert isinstance(page, models.MembersResponse)
    same(page.pagination.limit, 10)
    for stage in ("accepted", "pending", "finished"):
        answer = call(f"team_members.list_{stage}_team_members")
        same(len(answer.members), answer.count)


def sessions(team):
    new = models.CreateModelRequest(
        email="sofia@customer.example", team_id=team, is_development=True, version=models.Version.ONE_SHOT
    )
    made = call("models.create_model", body=new, kind=models.CreateModelResponse)
    same(made.status, models.ModelStatus.ONBOARDING)
    page = call("models.list_models", status=models.ModelStatus.ONBOARDING, kind=models.ModelsResponse)
    same([one.id for one in page.models], [made.model_id])
    model = call("models.get_model", made.model_id, kind=models.ModelResponse).model
    same((model.version, model.trigger, model.finished_at), (models.Version.ONE_SHOT, None, None))
    same(call("models.delete_model", made.model_id, kind=models.DeleteModelResponse).model_id, made.model_id)
    again = call("models.delete_model", made.model_id, expect=400, kind=models.ErrorBody)
    same(again.code, models.ErrorCode.ALREADY_DELETED)


def photos():
    model, (first, second), every = KNOWN["model"], KNOWN["photos"], models.IncludeVariant.ALL
    page = call("photos.list_model_photos", model, include=every, kind=models.PhotosResponse)
    same([photo.id for photo in page.photos], [first, second])
    favorite = call("photos.get_favorite_model_photo", model, kind=models.FavoriteResponse)
    assert isinstance(favorite.photo, models.PhotoOfModel)
    same(favorite.photo.id, first)
    photo = call("photos.get_model_photo", model, second, include=every, kind=models.PhotoResponse).photo
    assert photo.urls.original.startswith(f"{KNOWN['baseUrl']}/photos/")
    whole = call("photos.download_model_photos", model, kind=models.DownloadsResponse)
    same(len(whole.downloads), 2)
    which = models.DownloadRequest(photo_ids=[second], include=every)
    same([one.photo_id for one in call("photos.download_model_photos", model, body=which).downloads], [second])
    favorites = call("photos.list_favorite_photos", kind=models.FavoritesResponse)
    same([(one.id, one.name) for one in favorites.photos], [(first, "Jane Cooper")])


def legacy():
    call("legacy.v_1_get_organization", kind=models.OrganizationResponse)
    call("legacy.v_1_get_credits", kind=models.CreditsResponse)
    call("legacy.v_1_post_credits", kind=models.CreditsResponse)
    email = "old@acme.example"
    made = call("legacy.v_1_create_invite", body=models.CreateInviteRequest(email=email))
    listed = call("legacy.v_1_list_invites", kind=models.V1InvitesResponse).invites
    same([one.valid for one in listed if one.id == made.id], [True])
    invite = call("legacy.v_1_get_invite", made.id, kind=models.V1InviteResponse).invite
    same(invite.status, models.V1InviteStatus.PENDING_INVITE)
    call("legacy.v_1_revoke_invite", body=models.RevokeInviteRequest(email=email))


def revocation():
    body = models.RevokeRequest(key=KNOWN["spare"])
    unkeyed = Client(base_url=KNOWN["baseUrl"], httpx_args=HOOKS)
    receipt = call("keys.revoke_key", client=unkeyed, body=body, kind=models.RevokeResponse)
    assert isinstance(receipt.effective_at, datetime.datetime)
    dead = AuthenticatedClient(base_url=KNOWN["baseUrl"], token=KNOWN["spare"], httpx_args=HOOKS)
    error = call("organization.get_organization", client=dead, expect=401, kind=models.ErrorBody)
    same(error.code, models.ErrorCode.UNAUTHORIZED)


def main():
    TEMPLATES.extend(json.loads(open("generated/openapi.json", encoding="utf-8").read())["paths"])
    team = organization_and_teams()
    invites(team)
    people(team)
    sessions(team)
    photos()
    legacy()
    same(call("teams.delete_team", team, kind=models.OrganizationResponse).organization.teams, [])
    revocation()
    print(json.dumps(sorted(CALLED)))


main()
