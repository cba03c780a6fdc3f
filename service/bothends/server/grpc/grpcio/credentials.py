"""Makes grpcio's server credentials from certificate files that may be renewed at any time."""

import grpc

from ...tls import Certificates, Identity


def credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Make server credentials that use renewed certificate files for each new connection.

    If a client CA is set, callers must present a certificate.
    """
    given = certificates.newest

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        if (newest := certificates.newest) is given:
            return None
        given = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(given),
        changed,  # type: ignore[arg-type]  # None is for no change, as grpc documents
        require_client_authentication=given.client_ca is not None,
    )


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.key, identity.certificate)], identity.client_ca)
