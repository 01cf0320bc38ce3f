"""Operations of people's API about deployment documents before they are deployed."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.contract.deployment import DeploymentDocument, DeploymentPreview


class Deploying(Calls):
    """Looking before deploying."""

    def preview_deployment(self, document: DeploymentDocument) -> DeploymentPreview:
        """What a document would come to for its group; nothing is stored."""
        return self.connection.call("POST", "/deployments/preview", DeploymentPreview, body=document)
