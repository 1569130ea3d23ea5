"""Bodies of requests and answers, one file a noun. Unknown members are refused; names are snake_case."""
