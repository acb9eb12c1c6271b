"""Many runs: here, in worker processes, on several devices, on a cluster."""
