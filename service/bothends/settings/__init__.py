"""Every setting of the server, from flags and environment variables, in sections that parts of it take one by one."""

from .config_file import ConfigFile
from .model import (
    PACKAGED,
    BatchingSettings,
    EmbedderSettings,
    EngineSettings,
    Level,
    ModelSettings,
    ReloadSettings,
    RequestSettings,
    SupervisorSettings,
    chosen,
)
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
    "ObserveSettings",
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
    """A whole server: which model, by which ports, and what is reported of it."""
