"""An instance's files below a folder of their own, to be backed up and restored."""

from pathlib import Path

from centrex.config.load import ConfigSource
from centrex.config.paths import InstancePaths, instance_paths
from centrex.config.users import ha1
from centrex.registrar.image import HEADER
from centrex.runtime.backup import back_up

RELAY = 'name = "r"\n[[proxies]]\naddress = "192.0.2.1"\nsecret = "s"\n'
IMAGE = HEADER


class Site:
    """One machine with one instance.

    Args:
        root: The folder that stands for the machine.
        text: The configuration; none where there is none yet.
        name: The instance.
    """

    def __init__(self, root: Path, text: str = "", name: str = "default") -> None:
        self.paths: InstancePaths = instance_paths(name, env={"CENTREX_ROOT": str(root)})
        self.folder = self.paths.config.parent
        self.source = ConfigSource(path=self.paths.config)
        for folder in (self.folder, self.paths.state, self.paths.run):
            folder.mkdir(parents=True, exist_ok=True)
        if text:
            self.write(text)

    def write(self, text: str) -> None:
        self.paths.config.write_text(text)
        self.paths.config.chmod(0o600)

    def add_logins(self, *logins: str, realm: str = "example.com", name: str = "logins") -> Path:
        """Write a credentials file."""
        file = self.folder / name
        lines = [f"{one}:{realm}:{digest}\n" for one in logins for digest in ha1(one, realm, "pw")]
        file.write_text("".join(lines))
        return file

    def add_relay(self) -> None:
        (self.folder / "relay.toml").write_text(RELAY)

    def add_registrations(self, data: bytes = IMAGE) -> None:
        (self.paths.state / "registrations").write_bytes(data)

    def back_up(self, target: Path, *, registrations: bool = False) -> Path:
        back_up(self.source, self.paths, target, version="1", registrations=registrations)
        return target

    def contents(self) -> dict[str, bytes]:
        """Every file of the machine by its place."""
        root = self.folder.parent
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
