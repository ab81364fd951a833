CREATE UNIQUE INDEX tiles_by_place ON tiles (level, number)
