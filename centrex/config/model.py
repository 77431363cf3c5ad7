"""The whole configuration: each room's settings, composed and nothing more.

One table per dialog, in the order of the dialogs.
"""

from pydantic import BaseModel, Field

from centrex.auth.settings import Settings as AuthSettings
from centrex.calls.settings import Settings as TimeoutSettings
from centrex.config.basic import BasicSettings
from centrex.config.later import (
    InetSettings,
    PluginSettings,
    SiplogSettings,
    WanSettings,
)
from centrex.config.metrics import Settings as MetricsSettings
from centrex.config.network import NetworkSettings
from centrex.events.settings import Settings as EventSettings
from centrex.media.settings import Settings as MediaSettings
from centrex.registrar.settings import Settings as RegistrarSettings
from centrex.routing.settings import DirectorySettings, RoutingSettings


class Config(BaseModel, frozen=True, extra="forbid"):
    """One instance's configuration. A file with only `[network] domain = "…"` is complete."""

    basic: BasicSettings = Field(
        default_factory=BasicSettings,
        title="Basic Settings",
        description="This instance and its dashboard.",
    )
    network: NetworkSettings = Field(
        title="Network Configuration", description="Domain, addresses, ports and transports."
    )
    timeouts: TimeoutSettings = Field(
        default_factory=TimeoutSettings,
        title="Call Processing Timeouts",
        description="How long each stage of a call may last.",
    )
    directory: DirectorySettings = Field(
        default_factory=DirectorySettings,
        title="Local Directory",
        description="Names that are always listed.",
    )
    routing: RoutingSettings = Field(
        default_factory=RoutingSettings, title="Call Routing", description="Where calls go."
    )
    inet: InetSettings = Field(
        default_factory=InetSettings,
        title="Global iNet Accounts",
        description="Global iNet accounts.",
    )
    media: MediaSettings = Field(
        default_factory=MediaSettings,
        title="Media Proxy Support",
        description="How voice and video are relayed.",
    )
    registrar: RegistrarSettings = Field(
        default_factory=RegistrarSettings,
        title="Registrar",
        description="How registrations are kept.",
    )
    events: EventSettings = Field(
        default_factory=EventSettings,
        title="Event Logging",
        description="What is written to the event log.",
    )
    wan: WanSettings = Field(
        default_factory=WanSettings,
        title="Wan IP/NAT Detection",
        description="How the public address is found.",
    )
    plugins: PluginSettings = Field(
        default_factory=PluginSettings,
        title="Custom Plug In",
        description="Plug-ins and their limits.",
    )
    siplog: SiplogSettings = Field(
        default_factory=SiplogSettings,
        title="SIP Logging",
        description="A record of every SIP message.",
    )
    auth: AuthSettings = Field(
        default_factory=AuthSettings,
        title="Authentication",
        description="Who must prove who they are.",
    )
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings, title="Metrics", description="Figures for Prometheus."
    )

    @property
    def realm(self) -> str:
        """The realm in force: `auth.realm`, or the domain where that is empty."""
        return self.auth.realm or self.network.domain
