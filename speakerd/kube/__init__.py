"""The narrow Kubernetes client: what is known of the cluster, and the one place that writes to it."""
