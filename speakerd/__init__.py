"""speakerd gives Kubernetes Services of type LoadBalancer addresses and answers for them on the network."""

__version__ = "0.1.0"
