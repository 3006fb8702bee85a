"""What every learnt segmenter starts from: codes, a metric space, sums, a sample, and a reference partition."""
