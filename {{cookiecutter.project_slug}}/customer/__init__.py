"""The other side of the game: applicants with a known truth, and a customer who asks your API about them."""
