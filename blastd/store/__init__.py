"""One SQLite file and the result files that its rows own."""
