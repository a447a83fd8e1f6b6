"""Opening, closing and renewing the public pages of resources."""

import strawberry

from schema.context import Info
from schema.mutations import Payload, mutation
from schema.types import catalog
from schema.types.resources import ContentResource
from storage import resources
from storage.tables import Scope


@strawberry.input
class UpdateShareLinkInput:
    resource_id: strawberry.ID
    active: bool | None = None
    rotate: bool = strawberry.field(
        default=False, description="True: a new publicUrl; the old one stops working at once."
    )


@strawberry.type
class UpdateShareLinkPayload(Payload):
    resource: ContentResource | None = None


@strawberry.type
class ShareMutations:
    @mutation(Scope.RESOURCES_WRITE, description="Opens, closes or renews the public page.")
    async def update_share_link(self, info: Info, input: UpdateShareLinkInput) -> UpdateShareLinkPayload:
        sealer = info.context.sealer
        async with info.context.database.transaction() as session:
            resource = await resources.locked(session, info.context.realm, input.resource_id)
            if input.rotate:
                resources.renew_share(resource, sealer)
            if input.active:
                resources.share(resource, sealer)
            elif input.active is False:
                resource.share_active = False
        return UpdateShareLinkPayload(resource=catalog.resource(resource))
