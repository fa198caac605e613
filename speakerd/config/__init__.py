"""What the cluster wants: MetalLB's resources, from the API and from the settings file."""
