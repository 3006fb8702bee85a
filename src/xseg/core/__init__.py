"""The frozen data types that everything else is made of: schema, bins, conditions, trees, boxes, segments."""
