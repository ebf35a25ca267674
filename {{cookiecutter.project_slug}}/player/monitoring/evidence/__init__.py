"""The evidence for a cause: what moved and how, whether like cases still turn out alike, and since when."""
