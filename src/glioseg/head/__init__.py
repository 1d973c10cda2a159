"""What a picture of a head shows without any network: where the head ends, where the brain lies."""
