"""The other side of the game: cases with a known truth, and a customer who asks your API about them."""
