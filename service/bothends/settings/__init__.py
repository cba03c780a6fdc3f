"""Every setting of the server, from flags and environment variables, in sections that its parts take separately."""

from typing import Self

from pydantic import model_validator

from ..errors import SettingsError
from .bundles import NamedBundle
from .config_file import ConfigFile
from .model import (
    BatchingSettings,
    EmbedderSettings,
    EngineSettings,
    Level,
    ModelSettings,
    OneModel,
    ReloadSettings,
    RequestSettings,
    SupervisorSettings,
)
from .packaged import PACKAGED, chosen
from .ports import (
    AccessSettings,
    GrpcSettings,
    HttpSettings,
    ListenerSettings,
    ObserveSettings,
    PortSettings,
)
from .section import ENV_PREFIX, GROUPS, Option, Section, flag

__all__ = [
    "ENV_PREFIX",
    "GROUPS",
    "PACKAGED",
    "AccessSettings",
    "BatchingSettings",
    "ConfigFile",
    "EmbedderSettings",
    "EngineSettings",
    "GrpcSettings",
    "HttpSettings",
    "Level",
    "ListenerSettings",
    "ModelSettings",
    "NamedBundle",
    "ObserveSettings",
    "OneModel",
    "Option",
    "PortSettings",
    "ReloadSettings",
    "RequestSettings",
    "Section",
    "Settings",
    "SupervisorSettings",
    "chosen",
    "flag",
]


class Settings(ObserveSettings, PortSettings, ModelSettings):
    """Settings of a whole server: models, ports, and reports about them."""

    @model_validator(mode="after")
    def _aliases_are_nobodys_names(self) -> Self:
        """Raises SettingsError where a name would mean two models."""
        if taken := next((one.name for one in self.bundles[1:] if one.name in self.model_aliases), None):
            raise SettingsError(f"--model-alias {taken}: another model has this name, by --bundle {taken}=…")
        return self
