"""Operations of people's API about the MQTT broker."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.contract.broker import Broker, BrokerCertificate, BrokerCertificateRequest


class Brokers(Calls):
    """The MQTT broker."""

    def broker(self) -> Broker:
        """Where devices' MQTT broker is, and whether it can be used."""
        return self.connection.call("GET", "/broker", Broker)

    def certify_broker(self, request: BrokerCertificateRequest) -> BrokerCertificate:
        """A server certificate, of the CA that devices trust, for a broker that is not the control plane's own."""
        return self.connection.call("POST", "/broker/certificate", BrokerCertificate, body=request)
