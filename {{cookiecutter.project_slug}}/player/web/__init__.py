"""The web: routes, pages and what surrounds them; HTTP in, HTTP out. Uses any wing below it, none above."""
