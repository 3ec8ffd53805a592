"""DeepSpeech's network: trained, converted to full integer, and measured. See packaging/model/deepspeech."""
