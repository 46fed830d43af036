"""A broker with SASL_SSL/SCRAM, mutual TLS and ACLs, beside the open one. Its internal listener is for the tests: there everything is allowed."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from kafka import Cluster
from stack import CACHE, HOST, JAVA, Stack, is_open, port, wait_until

USER, PASSWORD = "worker", "correct horse battery staple"
MTLS_USER, KEY_PASSPHRASE = "worker-mtls", "tr0ub4dor-and-3"


@dataclass(frozen=True)
class Rule:
    """What somebody is allowed: an operation on a `TOPIC` or a `GROUP`, in Kafka's words."""

    kind: str
    name: str
    operation: str


def rules_of(commands: list[str]) -> list[Rule]:
    """What `kafka-acls` commands grant, in their order."""
    rules = []
    for command in commands:
        words = shlex.split(command)
        kind = next(kind for kind in ("topic", "group") if f"--{kind}" in words)
        name = words[words.index(f"--{kind}") + 1]
        for word, operation in zip(words, words[1:]):
            if word == "--operation":
                rules.append(Rule(kind.upper(), name, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()))
    return rules


class SecureBroker:
    """The broker, its certificates and its access rules."""

    def __init__(self, stack: Stack):
        self.internal, self.scram, self.mtls = port(19292), port(19294), port(19295)
        self.folder = stack.dir / "certificates"
        self.folder.mkdir()
        self._certificates()
        self.password_file = self._secret_file("password", PASSWORD)
        self.passphrase_file = self._secret_file("passphrase", KEY_PASSPHRASE)
        properties = {
            **stack.broker_defaults(self.internal),
            "listeners": ",".join(
                f"{name}://{HOST}:{number}"
                for name, number in {
                    "INTERNAL": self.internal,
                    "CONTROLLER": self.internal + 1,
                    "SCRAM": self.scram,
                    "MTLS": self.mtls,
                }.items()
            ),
            "advertised.listeners": f"INTERNAL://{HOST}:{self.internal},SCRAM://{HOST}:{self.scram},MTLS://{HOST}:{self.mtls}",
            "listener.security.protocol.map": "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL",
            "inter.broker.listener.name": "INTERNAL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.mtls.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "broker.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.folder / "ca.crt",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        scram = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        command = stack.kafka_command("secure", properties, scram)
        self.part = stack._part("secure", command, lambda: is_open(self.internal))
        stack.parts["secure"] = self.part
        self.part.start()
        self.cluster = Cluster(f"{HOST}:{self.internal}", stack.registry_url)

    def _certificates(self):
        def openssl(*words: str):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        openssl("req", "-x509", *curve, "-subj", "/CN=stack-ca", "-keyout", "ca.key", "-out", "ca.crt")
        for name, common in (("broker", "broker"), ("client", MTLS_USER)):
            openssl("req", *curve, "-subj", f"/CN={common}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (self.folder / "names").write_text(f"subjectAltName=IP:{HOST},DNS:localhost\n")
            signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
            openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt")
        encrypt = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", f"pass:{KEY_PASSPHRASE}"]
        openssl(*encrypt, "-in", "client.key", "-out", "client.encrypted.key")
        parts = [(self.folder / f"broker.{kind}").read_text() for kind in ("key", "crt")]
        (self.folder / "broker.pem").write_text("".join(parts) + (self.folder / "ca.crt").read_text())

    def _secret_file(self, name: str, secret: str) -> Path:
        file = self.folder / name
        file.write_text(secret + "\n")
        file.chmod(0o600)
        return file

    def scram_properties(self) -> dict[str, str]:
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": USER,
            "sasl.password": f"file:{self.password_file}",
            "ssl.ca.location": str(self.folder / "ca.crt"),
        }

    def mtls_properties(self) -> dict[str, str]:
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.folder / "ca.crt"),
            "ssl.certificate.location": str(self.folder / "client.crt"),
            "ssl.key.location": str(self.folder / "client.encrypted.key"),
            "ssl.key.password": f"file:{self.passphrase_file}",
        }

    def run_acl_commands(self, user: str, commands: list[str]):
        """Runs `kafka-acls` commands as a shell reads them, with Kafka's own tool."""
        tool = shlex.join([*JAVA, "-cp", f"{CACHE}/kafka/*", "org.apache.kafka.tools.AclCommand"])
        script = "\n".join([f'kafka-acls() {{ {tool} "$@"; }}', *commands])
        env = {"BROKERS": f"{HOST}:{self.internal}", "LOCKGATE": user, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def rules(self, user: str) -> set[Rule]:
        """All that a user is allowed."""
        anything = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None, AclOperation.ANY, AclPermissionType.ANY
        )
        found = self.cluster.admin.describe_acls(anything).result(20)
        odd = [acl for acl in found if acl.permission_type != AclPermissionType.ALLOW or acl.host != "*"]
        assert not odd, odd
        return {Rule(acl.restype.name, acl.name, acl.operation.name) for acl in found}

    def allow(self, user: str, *rules: Rule):
        acls = [binding(user, rule) for rule in rules]
        for future in self.cluster.admin.create_acls(acls).values():
            future.result(20)
        wait_until(f"{user} has {rules}", lambda: self.rules(user) >= set(rules), 20)

    def forbid(self, user: str, *rules: Rule):
        acls = [as_filter(binding(user, rule)) for rule in rules]
        for future in self.cluster.admin.delete_acls(acls).values():
            future.result(20)
        wait_until(f"{user} has {rules} no more", lambda: not self.rules(user) & set(rules), 20)


def binding(user: str, rule: Rule) -> AclBinding:
    return AclBinding(
        ResourceType[rule.kind],
        rule.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[rule.operation],
        AclPermissionType.ALLOW,
    )


def as_filter(acl: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type
    )
