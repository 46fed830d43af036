"""A broker with SASL_SSL/SCRAM, mutual TLS and ACLs, beside the open one. Its internal listener is for the tests: there everything is allowed."""

import subprocess
from pathlib import Path

from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from kafka import Cluster
from stack import HOST, Stack, is_open, port, wait_until

USER, PASSWORD = "worker", "correct horse battery staple"
MTLS_USER = "worker-mtls"


class SecureBroker:
    """The broker, its certificates and its access rules."""

    def __init__(self, stack: Stack):
        self.internal, self.scram, self.mtls = port(19292), port(19294), port(19295)
        self.folder = stack.dir / "certificates"
        self.folder.mkdir()
        self._certificates()
        self.password_file = self.folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)
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
        parts = [(self.folder / f"broker.{kind}").read_text() for kind in ("key", "crt")]
        (self.folder / "broker.pem").write_text("".join(parts) + (self.folder / "ca.crt").read_text())

    def scram_properties(self) -> dict[str, str]:
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": USER,
            "ssl.ca.location": str(self.folder / "ca.crt"),
        }

    def mtls_properties(self) -> dict[str, str]:
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.folder / "ca.crt"),
            "ssl.certificate.location": str(self.folder / "client.crt"),
            "ssl.key.location": str(self.folder / "client.key"),
        }

    def allow(self, user: str, kind: str, name: str, operation: str):
        acl = binding(user, kind, name, operation)
        for future in self.cluster.admin.create_acls([acl]).values():
            future.result(20)
        self._wait(acl, present=True)

    def forbid(self, user: str, kind: str, name: str, operation: str):
        acl = binding(user, kind, name, operation)
        for future in self.cluster.admin.delete_acls([as_filter(acl)]).values():
            future.result(20)
        self._wait(acl, present=False)

    def _wait(self, acl: AclBinding, present: bool):
        def known():
            found = self.cluster.admin.describe_acls(as_filter(acl)).result(20)
            return bool(found) == present

        wait_until(f"{acl} is {'there' if present else 'gone'}", known, 20)


def binding(user: str, kind: str, name: str, operation: str) -> AclBinding:
    return AclBinding(
        ResourceType[kind],
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation],
        AclPermissionType.ALLOW,
    )


def as_filter(acl: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type
    )
